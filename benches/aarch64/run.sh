#!/usr/bin/env bash
# Counts the instructions that a recipe's network takes on 64-bit ARM, for each kind of core, and shares them out among the
# multiply-adds that change something.
#     benches/aarch64/run.sh [RECIPE]
# Builds an emulator that counts, once, into the target folder. For Debian and its kind: needs what tests/cross-build.sh needs,
# ninja-build, pkg-config, libglib2.0-dev, python3-venv, and the net for the emulator's source.
set -euo pipefail
cd "$(dirname "$0")/../.."
root="$PWD"
recipe="${1:-models/demo}"
folder="$(realpath -m "${CARGO_TARGET_DIR:-target}")"
emulator="$folder/counting/build/qemu-aarch64"
counter="$folder/counting/build/tests/plugin/libinsn.so"
if [ ! -x "$emulator" ] || [ ! -e "$counter" ]; then
    rm -rf "$folder/counting"
    mkdir -p "$folder/counting/lists"
    cd "$folder/counting"
    # Debian's own emulator has no plugins, its source does
    sed 's/^Types:.*/Types: deb-src/' /etc/apt/sources.list.d/*.sources > source.sources
    apt="-o Dir::Etc::sourcelist=$PWD/source.sources -o Dir::Etc::sourceparts=- -o Dir::State::lists=$PWD/lists"
    apt-get $apt --quiet update
    apt-get $apt --quiet --download-only source qemu
    mkdir source build
    tar -C source --strip-components=1 -xf qemu_*.orig.tar.xz
    python3 -m venv python
    python/bin/pip install --quiet meson==0.63.3
    cd build
    ../source/configure --meson="$folder/counting/python/bin/meson" --target-list=aarch64-linux-user --enable-plugins \
        --disable-docs --disable-tools --disable-system --disable-capstone --disable-install-blobs > configure.log
    ninja qemu-aarch64 tests/plugin/libinsn.so > make.log
    cd "$root"
fi
network="$(tests/cross-build.sh network)"
# count CORE PICTURES KERNEL CORES: instructions of a run, those of each thread
count() {
    "$emulator" -cpu "$1" -L /usr/aarch64-linux-gnu -plugin "$counter" -d plugin "$network" "$recipe" "${@:2}" \
        2>&1 > "$folder/multiply-adds" | sed -n 's/^cpu [0-9]* insns: //p'
}
# each CORE KERNEL CORES: instructions a picture, those of the thread that has the most
each() {
    paste <(count "$1" 1 "$2" "$3") <(count "$1" 6 "$2" "$3") | awk '{ n = ($2 - $1) / 5; if (n > most) most = n } END { print most }'
}
echo "$recipe"
# the least that can be: sdot adds 16 products; smlal 8 in 16 bits, four of which sadalp adds up at best
while read -r core kernel least; do
    awk -v core="$core" -v kernel="$kernel" -v least="$least" -v one="$(each "$core" "$kernel" 1)" \
        -v two="$(each "$core" "$kernel" 2)" -v useful="$(cat "$folder/multiply-adds")" 'BEGIN {
            printf "%s, %s: %.1f M instructions a picture, %.4f a multiply-add of %.1f M (%.4f if the products were all); ", core, kernel, one / 1e6, one / useful, useful / 1e6, least
            printf "shared by two cores at most %.1f M on one, with its waits\n", two / 1e6 }'
done << 'END'
cortex-a76 neon-sdot 0.0625
cortex-a72 neon-smlal 0.15625
END
