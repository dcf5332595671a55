#!/bin/sh
# A small virtual machine with a kernel of its own, for tests that need cgroup v2 (or any kernel but this one). No KVM.
#
#   guest.sh install        QEMU, busybox and Debian's cloud kernel; the kernel is unpacked into a prefix, not installed
#   guest.sh run FOLDER     boot, run FOLDER/run.py in it with this machine's Python, print what it writes, exit with its code
#   guest.sh status         one line; exit 0 when `run` can work
#
# The guest is root of a fresh machine: one core, 512 MiB, no network, no swap; cgroup v2 with memory, cpu and pids for
# child groups. Its disk (ext4) holds FOLDER as /work and is thrown away. Debian on x86-64 only.
# MLPACK_GUEST_PREFIX     where kernel and initramfs live (default /opt/mlpack-guest)
# MLPACK_GUEST_PYTHON     the Python that is copied into the guest (default python3)
# MLPACK_GUEST_TIMEOUT_S  after which the machine is switched off (default 120)
set -eu
umask 022
PATH=$PATH:/usr/sbin:/sbin
prefix=${MLPACK_GUEST_PREFIX:-/opt/mlpack-guest}
python=${MLPACK_GUEST_PYTHON:-python3}
timeout_s=${MLPACK_GUEST_TIMEOUT_S:-120}
modules="virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk"

say() { echo "guest.sh: $*" >&2; }
die() { say "$*"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

missing() {
    for tool in qemu-system-x86_64 cpio mke2fs; do
        have "$tool" || { echo "$tool is not installed"; return; }
    done
    [ -x /bin/busybox ] || [ -x /usr/bin/busybox ] || { echo "busybox is not installed"; return; }
    [ -s "$prefix/vmlinuz" ] && [ -s "$prefix/initramfs" ] || echo "there is no kernel in $prefix"
}

install() {
    [ -z "$(missing)" ] && return
    [ "$(uname -m)" = x86_64 ] || die "the guest is for x86-64"
    [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] || die "installing works as root on Debian"
    say "installing QEMU and a kernel for the guest ..."
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update >/dev/null
    apt-get -qq install -y --no-install-recommends qemu-system-x86 busybox-static cpio e2fsprogs >/dev/null
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    package=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: *\(linux-image-[0-9].*\)/\1/p' | head -n 1)
    [ -n "$package" ] || die "apt knows no linux-image-cloud-amd64"
    (cd "$scratch" && apt-get -qq -o APT::Sandbox::User=root download "$package" >/dev/null)
    dpkg-deb --extract "$scratch"/linux-image-*.deb "$scratch/kernel"
    initramfs "$scratch/kernel" "$scratch/tree"
    mkdir -p "$prefix"
    (cd "$scratch/tree" && find . | cpio --quiet --create --format newc) | gzip >"$prefix/initramfs.new"
    cp "$scratch"/kernel/boot/vmlinuz-* "$prefix/vmlinuz"
    mv "$prefix/initramfs.new" "$prefix/initramfs"
}

# initramfs KERNEL TREE: busybox, the modules of a virtio disk, and an init that hands over to the disk
initramfs() {
    mkdir -p "$2/bin" "$2/lib" "$2/proc" "$2/sys" "$2/dev" "$2/root"
    cp "$(command -v busybox || echo /bin/busybox)" "$2/bin/busybox"
    for module in $modules; do
        file=$(find "$1/lib/modules" -name "$module.ko*" | head -n 1)
        [ -z "$file" ] || cp "$file" "$2/lib/"      # not there: built in
    done
    cat >"$2/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
while [ ! -b /dev/vda ]; do    # again until the modules that others need are in
    for module in MODULES; do [ ! -e /lib/$module.ko ] || insmod /lib/$module.ko 2>/dev/null; done
    sleep 0.05
done
mount -t ext4 /dev/vda /root
for place in proc sys dev; do mkdir -p /root/$place; mount --move /$place /root/$place; done
mkdir -p /root/tmp /root/dev/shm; mount -t tmpfs tmp /root/tmp; mount -t tmpfs shm /root/dev/shm
mount -t cgroup2 cgroup2 /root/sys/fs/cgroup
echo "+memory +cpu +pids" >/root/sys/fs/cgroup/cgroup.subtree_control
chroot /root /usr/bin/env -i PATH=/bin:/usr/bin HOME=/ LD_LIBRARY_PATH=/guest/lib PYTHONHOME=/guest PYTHONPATH=/work \
    /guest/python -B /work/run.py >/root/dev/ttyS1 2>&1
echo "guest-exit $?" >/root/dev/ttyS1
sync; poweroff -f
INIT
    sed -i "s/MODULES/$modules/" "$2/init"
    chmod +x "$2/init"
}

# python_into TREE: this machine's Python with its standard library, as /guest
python_into() {
    mkdir -p "$1/guest/lib" "$1/usr/bin" "$1/bin"
    "$python" - "$1/guest" <<'PYTHON'
import os, shutil, subprocess, sys, sysconfig
to = sys.argv[1]
shutil.copy2(os.path.realpath(sys._base_executable), f"{to}/python")
stdlib = sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix})
left_out = shutil.ignore_patterns("test", "tests", "idlelib", "tkinter", "ensurepip", "lib2to3", "pydoc_data",
                                  "site-packages", "dist-packages", "config-*", "turtledemo", "*.a")
name = f"python{sys.version_info.major}.{sys.version_info.minor}"
shutil.copytree(stdlib, f"{to}/lib/{name}", ignore=left_out)
programs = [f"{to}/python"] + [os.path.join(folder, file) for folder, _, files in os.walk(f"{to}/lib") for file in files
                               if file.endswith(".so")]
found = set()
for program in programs:
    for line in subprocess.run(["ldd", program], capture_output=True, text=True).stdout.splitlines():
        words = line.split()
        path = words[2] if "=>" in words and len(words) > 2 else words[0]
        if path.startswith("/"):
            found.add((path, "=>" in words))
for path, library in found:
    target = f"{to}/lib/{os.path.basename(path)}" if library else f"{os.path.dirname(to)}{path}"
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copy(os.path.realpath(path), target)
PYTHON
    cp "$(command -v busybox || echo /bin/busybox)" "$1/bin/busybox"
    ln -sf /bin/busybox "$1/usr/bin/env"
}

run_guest() {
    [ -f "$1/run.py" ] || die "$1 has no run.py"
    reason=$(missing)
    [ -z "$reason" ] || die "$reason: guest.sh install"
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT TERM
    mkdir -p "$scratch/disk"
    python_into "$scratch/disk"
    cp -R "$1" "$scratch/disk/work"
    mke2fs -q -t ext4 -O ^has_journal -d "$scratch/disk" "$scratch/disk.img" 512M >/dev/null
    : >"$scratch/said"
    timeout --kill-after=5 "$timeout_s" qemu-system-x86_64 -accel tcg -cpu max -smp 1 -m 512 -no-reboot -nodefaults \
        -display none -kernel "$prefix/vmlinuz" -initrd "$prefix/initramfs" \
        -append "console=ttyS0 quiet loglevel=3 panic=-1 mitigations=off" \
        -serial "file:$scratch/console" -serial "file:$scratch/said" \
        -drive "file=$scratch/disk.img,if=virtio,format=raw,cache=unsafe" </dev/null || true
    tr -d '\r' <"$scratch/said" | sed '/^guest-exit /d'
    code=$(tr -d '\r' <"$scratch/said" | sed -n 's/^guest-exit //p')
    [ -n "$code" ] || { tail -n 20 "$scratch/console" >&2; die "the guest did not come to an end within $timeout_s s"; }
    exit "$code"
}

case ${1:-} in
    install) install ;;
    run) [ $# -eq 2 ] || die "guest.sh run FOLDER"; run_guest "$2" ;;
    status)
        reason=$(missing)
        [ -z "$reason" ] || { echo "not ready: $reason"; exit 1; }
        echo "ready: $(qemu-system-x86_64 --version | head -n 1)" ;;
    *) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
