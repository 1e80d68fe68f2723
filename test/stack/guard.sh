# Ends what a process started once that process is gone, however it went (kill -9 included): started by guard.ts with a
# pipe to standard input that only that process holds, so that its end is the end of this input.
# usage: sh guard.sh ROOT
#
# ROOT/running holds an empty folder for each process, named PID-SIGNAL, made by the process itself before it becomes the
# server, and one for each container, named NAME-CONTAINER. Moving `running` away first closes the gap in which one could
# still register: its mkdir then fails and it never starts.
root=$1
while read -r _; do :; done
mv "$root/running" "$root/ending" || exit 1
for entry in "$root"/ending/*; do
  name=${entry##*/}
  case $name in
    '*') ;;
    *-CONTAINER) docker rm --force "${name%-*}" >/dev/null 2>&1 ;;
    *) kill -s "${name##*-}" "${name%-*}" 2>/dev/null ;;
  esac
done
for entry in "$root"/ending/*; do
  name=${entry##*/}
  case $name in
    '*' | *-CONTAINER) continue ;;
  esac
  tries=0
  while kill -0 "${name%-*}" 2>/dev/null && [ $tries -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  kill -s KILL "${name%-*}" 2>/dev/null
done
rm -rf "$root"
