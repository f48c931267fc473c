#!/bin/sh
# Generates src/bindings.rs anew from the kernel's headers of this machine, for x86_64 and, where the cross headers are
# there, for aarch64, which must give the same. With `--check` it only says whether the file is what comes out here. The
# file is of the headers of Linux 6.1; those of a later kernel add to it.
# Needs libclang (Debian: libclang1-14), linux-libc-dev, libc6-dev and, for aarch64, libc6-dev-arm64-cross; bindgen by
# `cargo install bindgen-cli --version 0.71.1 --locked`.
set -eu
cd "$(dirname "$0")"
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT

generate() {
    target=$1
    shift
    bindgen wrapper.h --rust-target 1.82 --rust-edition 2021 --allowlist-file '.*/linux/(videodev2|v4l2-[a-z]+)\.h' \
        --allowlist-type 'timeval|timespec|time_t' -- --target="$target" "$@" > "$new/$target.rs"
}

generate x86_64-linux-gnu
if [ -d /usr/aarch64-linux-gnu/include ]; then
    # the cross headers' linux/ is often of another version
    mkdir "$new/include" && ln -s /usr/include/linux "$new/include/linux"
    generate aarch64-linux-gnu -nostdinc -isystem "$new/include" -isystem /usr/aarch64-linux-gnu/include
    cmp "$new/x86_64-linux-gnu.rs" "$new/aarch64-linux-gnu.rs"
else
    echo "no /usr/aarch64-linux-gnu/include (libc6-dev-arm64-cross): not compared with aarch64" >&2
fi
if [ "${1-}" = --check ]; then
    diff -u src/bindings.rs "$new/x86_64-linux-gnu.rs"
    echo "src/bindings.rs is what bindgen makes of this machine's headers"
else
    cp "$new/x86_64-linux-gnu.rs" src/bindings.rs
fi
