#!/bin/bash
# fish_completion_test.sh BKP FISH-COMPLETION-FILE: fish offers what the program says.
set -u
command -v fish >/dev/null || exit 77
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
ln -s "$1" "$place/bkp"
mkdir "$place/folder"
bad=0

# expect LINE CANDIDATE…: what is offered at the end of LINE.
expect() {
    local line=$1 offered
    shift
    offered=$(cd "$place" && HOME=$place PATH=$place:$PATH BKP_CONFIG=/nonexistent fish --no-config -c \
        "source '$completions'; complete -C '$line'" | cut -f1 | xargs)
    [ "$offered" = "$*" ] && return
    echo "at '$line': offered '$offered' instead of '$*'"
    bad=1
}
completions=$2
expect 'bkp li' list
expect 'bkp help sho' show
expect 'bkp list --sort d' duration database
expect 'bkp list --sort=d' --sort=duration --sort=database
expect 'bkp list --rev' --reverse
expect 'bkp catalog ' migrate rebuild
expect 'bkp init --local fol' folder/
expect 'bkp -c fol' folder/
expect 'bkp show '
exit "$bad"
