# Ctrl-T in fish: choose files by what is in them, and put their names at the cursor. Source this in ~/.config/fish/config.fish.

function searchkit-choose
    set -l chosen (searchkit tui --print0 | string split0)
    if test (count $chosen) -gt 0
        commandline --insert -- (string join ' ' -- (string escape -- $chosen))' '
    end
    commandline --function repaint
end

bind \ct searchkit-choose
bind --mode insert \ct searchkit-choose
