#!/bin/sh
# Runs one program where nothing of this machine is but what programs are made of, and what it is given.
#
#   isolate-program.sh ROOT HIDDEN COPIES PROGRAM_FILE PROGRAM [ARGUMENT...]
#
# Started in namespaces of its own: network (loopback alone, and nobody there), mounts, processes, System V objects. ROOT is
# an empty directory that becomes `/`. There, to be read: the system's programs and libraries. HIDDEN, the plan's
# directory, is empty there if it is there at all, but for PROGRAM_FILE, where that is a file of it (empty: none). COPIES are the
# directories that may be written to, and sockets, one a line. All else is not there. Without any privilege but to open the copies' files.
set -e
root=$1 hidden=$2 copies=$3 program_file=$4
shift 4
umask 022

# What the program starts there, it can ask over the network of its own. Without iproute2: SIOCSIFFLAGS with IFF_UP, netdevice(7).
if command -v ip >/dev/null; then
  ip link set lo up
elif command -v perl >/dev/null; then
  perl -MSocket -e 'socket(my $s, AF_INET, SOCK_DGRAM, 0); my $up = pack("a16sx14", "lo", 1); ioctl($s, 0x8914, $up)'
fi

mount -t tmpfs -o mode=0755,nosuid,nodev none "$root"

show() { # PATH OPTIONS: the same path is there as well
  if [ -d "$1" ]; then
    mkdir -p "$root$1"
  else
    mkdir -p "$(dirname "$root$1")"
    [ -e "$root$1" ] || : >"$root$1"
  fi
  mount --bind "$1" "$root$1"
  mount -o "remount,bind,$2" "$root$1"
}

for path in /usr /bin /sbin /lib /lib32 /lib64; do
  if [ -L "$path" ]; then
    ln -s "$(readlink "$path")" "$root$path"
  elif [ -d "$path" ]; then
    show "$path" ro,nosuid,nodev
  fi
done
for path in ld.so.cache ld.so.conf ld.so.conf.d alternatives passwd group nsswitch.conf localtime; do
  [ ! -e "/etc/$path" ] || show "/etc/$path" ro,nosuid,nodev
done
for device in null zero random urandom; do show "/dev/$device" rw,nosuid,noexec; done
mkdir -p "$root/tmp" "$root/proc" "$root/old"
chmod 1777 "$root/tmp"
# What is an administrator's by its owner alone, as the machine's settings below /proc/sys are, needs no privilege to be written.
mount -t proc -o ro,nosuid,nodev,noexec none "$root/proc"

if [ -d "$root$hidden" ]; then mount -t tmpfs none "$root$hidden"; fi
mkdir -p "$root$hidden"
[ -z "$program_file" ] || show "$program_file" ro,nosuid,nodev
printf '%s\n' "$copies" | while IFS= read -r copy; do
  [ -z "$copy" ] || show "$copy" rw,nosuid,nodev
done

cd "$root"
pivot_root . old
cd /
umount -l /old
rmdir /old
cd "$hidden"
exec setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+dac_override -- "$@"
