"""Programs that tests need beside them: the environment's services, started before a command and ended after it."""

from __future__ import annotations

__all__ = ["NO_SERVICE", "beside"]

NO_SERVICE = 98
"""The exit code where a service ended with an error before the command was started."""

_SCRIPT = """
count=$1; shift; started=
while [ "$count" -gt 0 ]; do
  sh -c "$1" >"/tmp/service-$count.log" 2>&1 & started="$started $!:$count"
  shift; count=$((count - 1))
done
sleep 1
for one in $started; do
  kill -0 "${one%:*}" 2>/dev/null && continue
  wait "${one%:*}" || { echo "a service ended with exit code $?:"; tail -n 5 "/tmp/service-${one#*:}.log"; exit 98; }
done
"$@"
code=$?
for one in $started; do kill "${one%:*}" 2>/dev/null; done
exit $code
"""


def beside(services: tuple[str, ...], argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return what runs `argv` beside the services, each a shell command; `argv` itself where there are none.

    A service that ends by itself with exit code 0 has gone into the background. The sandbox ends what is left.
    """
    if not services:
        return argv
    return ("sh", "-c", _SCRIPT, "sh", str(len(services)), *services, *argv)
