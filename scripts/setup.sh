#!/bin/sh
# Finds a Python that is new enough and hands over to scripts/setup.py, which decides everything else.
# Usage: scripts/setup.sh chat|test      (PYTHON=/path/to/python chooses the interpreter)
set -eu

case $0 in */*) cd "${0%/*}/.." ;; *) cd .. ;; esac

# The environment's own Python knows soonest that there is nothing to do.
if [ -x .venv/bin/python ] && .venv/bin/python scripts/setup.py --ready "$@" 2>/dev/null; then
    exit 0
fi

found=''
too_old=''
for name in "${PYTHON:-}" python3.13 python3.12 python3.11 python3; do
    # A name may be there and not run (version managers put such stand-ins on the path).
    version=$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    if ! "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        too_old=$version
        continue
    fi
    found=${found:-$name}
    if "$name" -c 'import venv, ensurepip' 2>/dev/null; then
        found=$name
        break
    fi
done

if [ -z "$found" ]; then
    case ${LC_ALL:-${LC_MESSAGES:-${LANG:-}}} in
    zh*)
        echo "缺少 Python 3.11 或更新的版本${too_old:+（只找到 $too_old）}。请先安装（Debian、Ubuntu：sudo apt install python3 python3-venv；macOS：brew install python@3.12），再重新运行 make；也可用 make PYTHON=路径 指定。" >&2
        ;;
    *)
        echo "Python 3.11 or newer is missing${too_old:+ (only $too_old was found)}: install it (Debian, Ubuntu: sudo apt install python3 python3-venv; macOS: brew install python@3.12) and run make again, or name one with make PYTHON=/path/to/python." >&2
        ;;
    esac
    exit 1
fi

exec "$found" scripts/setup.py "$@"
