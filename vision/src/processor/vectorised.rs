//! Plain loops over pixels, compiled for what processors really have.

/// Functions whose loops the compiler turns into vector instructions, twice on x86-64: for any processor,
/// which has vectors of 16 bytes, and for those with AVX2 and FMA, as nearly all have. What they call must be
/// `#[inline(always)]` to be compiled with them, and loops with much in them must be `for` loops: an
/// iterator's own methods are not. They calculate with integers, or in a fixed order with fused multiply-adds
/// where they say so: both give the same numbers.
macro_rules! vectorised {
    ($(
        $(#[$about:meta])*
        $vis:vis fn $name:ident $(<$(const $c:ident: usize),+>)? ($($arg:ident: $type:ty),* $(,)?) $body:block
    )*) => {$(
        $(#[$about])*
        $vis fn $name $(<$(const $c: usize),+>)? ($($arg: $type),*) {
            #[inline(always)]
            fn anywhere $(<$(const $c: usize),+>)? ($($arg: $type),*) $body

            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                #[target_feature(enable = "avx2,fma")]
                fn with_avx2 $(<$(const $c: usize),+>)? ($($arg: $type),*) {
                    anywhere $(::<$($c),+>)? ($($arg),*)
                }
                // SAFETY: the processor has what the function asks for.
                #[allow(unsafe_code)]
                return unsafe { with_avx2 $(::<$($c),+>)? ($($arg),*) };
            }
            anywhere $(::<$($c),+>)? ($($arg),*)
        }
    )*};
}

pub(crate) use vectorised;
