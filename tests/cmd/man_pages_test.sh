#!/bin/bash
# man_pages_test.sh MAN-DIRECTORY: mandoc has nothing to say against any page.
set -u
bad=0
for page in "$1"/*.[1-8]; do
    # mandoc looks for references among installed pages only; those of bkp are here.
    while IFS= read -r line; do
        reference=$(sed -n 's/.*referenced manual not found: Xr \([^ ]*\) \([0-9]\).*/\1.\2/p' <<<"$line")
        case $reference in
        "") ;;
        bkp*) [ -e "$1/$reference" ] && continue ;;
        *) continue ;; # of other packages, installed or not
        esac
        case $line in *"outdated mandoc.db"*) continue ;; esac
        echo "$line"
        bad=1
    done < <(mandoc -T lint -W style "$page" 2>&1)
done
exit "$bad"
