# Ends what a process started once that process is gone, however it went (kill -9 included): started by guard.ts with a
# pipe to standard input that only that process holds, so that its end is the end of this input.
# usage: sh guard.sh ROOT
#
# ROOT/running holds an empty folder for each process, named PID-SIGNAL, made by the process itself before it becomes the
# server, and one for each container, named NAME-CONTAINER. Moving `running` away first closes the gap in which one could
# still register: its mkdir then fails and it never starts.
root=$1

# A dead process stays in the table until its parent, by now the system's first process, has seen to it.
is_running() {
  kill -0 "$1" 2>/dev/null || return 1
  case $(ps -o stat= -p "$1" 2>/dev/null) in
    Z*) return 1 ;;
  esac
}

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
  while is_running "${name%-*}" && [ $tries -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  is_running "${name%-*}" && kill -s KILL "${name%-*}" 2>/dev/null
done
# A child of one that was killed may still write there for a moment.
tries=0
while ! rm -rf "$root" 2>/dev/null && [ $tries -lt 50 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
