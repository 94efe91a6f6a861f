# Ctrl-T in zsh: choose files by what is in them, and put their names at the cursor. Source this in ~/.zshrc.

searchkit-choose() {
    local -a chosen
    chosen=("${(@0)$(searchkit tui --print0)}")
    chosen=(${chosen:#}) # what follows the last NUL is empty
    (( $#chosen )) && LBUFFER+="${(j: :)${(@q)chosen}} "
    zle reset-prompt
}

zle -N searchkit-choose
bindkey -M emacs '^T' searchkit-choose
bindkey -M viins '^T' searchkit-choose
bindkey -M vicmd '^T' searchkit-choose
