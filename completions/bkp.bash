# bash completion for bkp: the program itself knows what fits (bkp __complete).
_bkp() {
    local current line word
    local -a words
    # ':' and '=' stay inside words: "sqlite:/path", "--since=2026-11-20T02:00Z".
    if declare -F _get_comp_words_by_ref >/dev/null; then
        local cword
        _get_comp_words_by_ref -n '=:' -w words -i cword -c current
        words=("${words[@]:1:cword}")
    else
        words=("${COMP_WORDS[@]:1:COMP_CWORD}")
        current=${COMP_WORDS[COMP_CWORD]}
    fi
    COMPREPLY=()
    while IFS= read -r line; do
        word=${line%%$'\t'*}
        case $word in
        :file) compopt -o filenames; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current") ;;
        :directory) compopt -o filenames; mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$current") ;;
        *) COMPREPLY+=("$(printf '%q' "$word")") ;;
        esac
    done < <("${COMP_WORDS[0]}" __complete -- "${words[@]}" 2>/dev/null)
    # readline replaces only what stands behind the last '='.
    if [[ $current == --*=* && $COMP_WORDBREAKS == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#"${current%%=*}="}")
    fi
    if declare -F __ltrim_colon_completions >/dev/null; then
        __ltrim_colon_completions "$current"
    fi
}
complete -F _bkp bkp
