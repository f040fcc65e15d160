# shellcheck shell=bash
# shellcheck disable=SC2154 # root comes from the script that sources this
# Sourced by the other scripts, which have set `root` to the checkout: `set_up runtime` or `set_up dev` makes
# sure that $root/.venv holds what the lock file names and that the package imports from it.
# What it says goes to stderr; a set-up that is already done says nothing.

say() { printf '%s\n' "$*" >&2; }

# Prints the real path of a suitable interpreter, or fails. A pyenv shim may be there and not run, and Debian's
# python3 may lack venv: only trying tells.
real_python() { # <command>
  "$1" -Ic 'import sys, venv, ensurepip
if sys.version_info < (3, 12): sys.exit(1)
print(sys.executable)' 2>/dev/null
}

find_python() {
  local pyenv=${PYENV_ROOT:-${HOME:-}/.pyenv}/versions candidate
  for candidate in python3.14 python3.13 python3.12 python3 \
    "$pyenv"/3.14*/bin/python "$pyenv"/3.13*/bin/python "$pyenv"/3.12*/bin/python; do
    if real_python "$candidate"; then return; fi
  done
  if command -v uv >/dev/null; then
    if candidate=$(uv python find --no-project '>=3.12' 2>/dev/null) && real_python "$candidate"; then return; fi
    say 'no Python 3.12 or newer here: uv fetches one…'
    if uv python install 3.13 >&2 && candidate=$(uv python find --no-project '3.13') && real_python "$candidate"; then
      return
    fi
  fi
  say 'clientcreds needs Python 3.12 or newer with venv: install it (Debian, Ubuntu: apt-get install python3 python3-venv; macOS: brew install python), or uv, and call this again'
  return 1
}

# What .venv must have been made from: its own Python and place (a virtual environment can't be moved), and
# the lock file's content.
wanted_stamp() { # <lock file>
  "$root/.venv/bin/python" -Ic 'import hashlib, pathlib, sys
print(sys.version.split()[0], sys.prefix, hashlib.sha256(pathlib.Path(sys.argv[1]).read_bytes()).hexdigest())' "$1" 2>/dev/null
}

is_done() { # <lock file>
  local stamp wanted
  stamp=$root/.venv/installed-${1##*/}
  [[ -f $stamp ]] && wanted=$(wanted_stamp "$1") && [[ $(<"$stamp") == "$wanted" ]]
}

# A .venv is kept when nothing broke off while it was filled, when it is still where it was made, and when its
# Python is there and new enough.
is_sound() {
  [[ ! -e $root/.venv/unfinished ]] && "$root/.venv/bin/python" -Ic 'import sys, pip
if sys.version_info < (3, 12) or sys.argv[1] not in open(sys.argv[2]).read(): sys.exit(1)' \
    "$root/.venv/bin/python" "$root/.venv/bin/pip" 2>/dev/null
}

make_venv() {
  local python
  python=$(find_python)
  say "setting up .venv with Python $("$python" -c 'import platform; print(platform.python_version())') (once, about a minute)…"
  rm -rf "$root/.venv"
  mkdir "$root/.venv"
  : >"$root/.venv/unfinished"
  "$python" -m venv "$root/.venv"
}

install() { # <lock file>
  local python=$root/.venv/bin/python site
  say "installing what ${1##*/} names…"
  : >"$root/.venv/unfinished"
  if ! PIP_USER=0 "$python" -m pip install --quiet --quiet --no-input --disable-pip-version-check \
    --require-hashes --requirement "$1" >&2; then
    say "pip could not install ${1##*/} (above); once it can, call this again"
    return 1
  fi
  site=$("$python" -Ic 'import sysconfig; print(sysconfig.get_path("purelib"))')
  printf '%s\n' "$root/addon" >"$site/clientcreds.pth"
}

set_up() { # runtime | dev
  local lock=$root/requirements.lock
  if [[ $1 == dev ]]; then lock=$root/requirements-dev.lock; fi
  if is_done "$lock"; then return; fi

  # One at a time: the lock hangs on this shell's descriptor 9 and is gone with it, however it ends. Python
  # takes it, because macOS has no flock command.
  local python
  python=$(find_python)
  exec 9>>"$root/requirements.lock"
  if ! "$python" -Ic 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null; then
    say 'another set-up of this checkout is running: waiting for it…'
    "$python" -Ic 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
  fi
  if ! is_done "$lock"; then
    if ! is_sound; then make_venv; fi
    install "$lock"
    # The development lock holds all that the other one holds.
    if [[ $1 == dev ]]; then wanted_stamp "$root/requirements.lock" >"$root/.venv/installed-requirements.lock"; fi
    wanted_stamp "$lock" >"$root/.venv/installed-${lock##*/}"
    rm "$root/.venv/unfinished"
  fi
  exec 9>&-
}
