# Ctrl-T in bash: choose files by what is in them, and put their names at the cursor. Source this in ~/.bashrc.

_searchkit_choose() {
    local chosen
    # Names may hold anything but NUL; %q writes each as one word.
    chosen=$(searchkit tui --print0 | while IFS= read -r -d '' path; do printf '%q ' "$path"; done)
    READLINE_LINE=${READLINE_LINE:0:READLINE_POINT}$chosen${READLINE_LINE:READLINE_POINT}
    READLINE_POINT=$((READLINE_POINT + ${#chosen}))
}

bind -m emacs-standard -x '"\C-t": _searchkit_choose'
bind -m vi-command -x '"\C-t": _searchkit_choose'
bind -m vi-insert -x '"\C-t": _searchkit_choose'
