#!/bin/bash
# completion_test.sh BKP BASH-COMPLETION-FILE: bash offers what the program says, word by word.
set -u
bkp=$1
# With bash-completion installed its word splitting is used; a shell may be without.
# shellcheck disable=SC1091
[ -r /usr/share/bash-completion/bash_completion ] && . /usr/share/bash-completion/bash_completion
# shellcheck disable=SC1090,SC1091
. "$2"
bad=0

# expect 'WORDS AS READLINE SPLITS THEM' LINE CANDIDATE…: what is offered at the end of LINE.
expect() {
    local line=$2 offered
    read -ra COMP_WORDS <<<"$1"
    [[ $1 == *" " ]] && COMP_WORDS+=("")
    COMP_WORDS[0]=$bkp
    COMP_LINE=$bkp${line#bkp}
    COMP_POINT=${#COMP_LINE}
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    shift 2
    _bkp 2>/dev/null # compopt complains outside of a completion
    offered="${COMPREPLY[*]}"
    [ "$offered" = "$*" ] && return
    echo "at '$line': offered '$offered' instead of '$*'"
    bad=1
}

export BKP_CONFIG=/nonexistent
expect 'bkp li' 'bkp li' list
expect 'bkp help sho' 'bkp help sho' show
expect 'bkp list --sort ' 'bkp list --sort ' created size duration database
expect 'bkp list --rev' 'bkp list --rev' --reverse
expect 'bkp key ' 'bkp key ' generate list rotate rewrap retire export import
expect 'bkp show ' 'bkp show '
if declare -F _get_comp_words_by_ref >/dev/null; then
    expect 'bkp list --sort = d' 'bkp list --sort=d' duration database
fi
exit "$bad"
