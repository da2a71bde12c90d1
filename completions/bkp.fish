# fish completion for bkp: the program itself knows what fits (bkp __complete).
function __bkp_complete
    # Words as typed, without the quotes and escapes that the shell would take off.
    set -l words (commandline -opc) (commandline -ct)
    set -l program $words[1]
    set -l typed (string unescape -- $words[2..-1])
    set -l current $typed[-1]
    test -n "$current"; or set typed $typed[1..-2] ''
    for line in (command $program __complete -- $typed 2>/dev/null)
        switch $line
            case ':file'
                __fish_complete_path $current
            case ':directory'
                __fish_complete_directories $current ''
            case '*'
                echo $line
        end
    end
end
complete -c bkp -f -k -a '(__bkp_complete)'
