# bash completion for memoir(1): commands, options and columns are asked of memoir itself, so that this
# file need not follow them; it must not capture anything.

_memoir_help() { # COMMAND
	"${COMP_WORDS[0]}" "$1" --help 2>/dev/null
}

_memoir_columns() { # COMMAND
	_memoir_help "$1" | sed -n '/^Columns:/,$s/^  \([a-z][a-z_]*\) .*/\1/p'
}

# The last of a list "a,b,c" completed, with what stands before it.
_memoir_list() { # WORDS CURRENT
	local done='' last=$2 word
	case $2 in
	*,*) done=${2%,*},; last=${2##*,} ;;
	+*) done=+; last=${2#+} ;;
	esac
	compopt -o nospace 2>/dev/null
	for word in $(compgen -W "$1" -- "$last"); do
		COMPREPLY+=("$done$word")
	done
}

_memoir() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]}
	local commands
	COMPREPLY=()
	# "--by=na" comes as three words.
	if [[ $previous == = ]]; then
		previous=${COMP_WORDS[COMP_CWORD - 2]}
	elif [[ $current == = ]]; then
		current=
	fi
	if [[ $command == run && $COMP_CWORD -gt 1 && $current != -* ]]; then
		local first=2
		while [[ $first -lt $COMP_CWORD && ${COMP_WORDS[first]} == -* ]]; do
			[[ ${COMP_WORDS[first++]} == -- ]] && break
		done
		_command_offset "$first" 2>/dev/null ||
			mapfile -t COMPREPLY < <(compgen -c -- "$current")
		return
	fi
	[[ $COMP_CWORD -gt 1 && $command != -* ]] || command=overview

	case $command:$previous in
	capture:-o | *:--output | *:--from)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		compopt -o filenames 2>/dev/null
		return ;;
	*:--root)
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		compopt -o filenames 2>/dev/null
		return ;;
	*:-o | *:--columns)
		_memoir_list "$(_memoir_columns "$command")" "$current"
		return ;;
	*:-s | *:--sort)
		mapfile -t COMPREPLY < <(compgen -W "$(_memoir_columns "$command")" -- "$current")
		return ;;
	*:-n | *:--head | trim:--max | trim:--rate)
		return ;;
	diff:--by)
		mapfile -t COMPREPLY < <(compgen -W "process name object" -- "$current")
		return ;;
	idle:--by | refaults:--by)
		mapfile -t COMPREPLY < <(compgen -W "region name process" -- "$current")
		return ;;
	idle:--means | trim:--means)
		mapfile -t COMPREPLY < <(compgen -W \
			"accessed referenced written damon passive" -- "$current")
		return ;;
	idle:-t | idle:--time | refaults:--watch | trim:--idle | trim:--watch | buffers:=)
		return ;;
	esac

	commands=$(_memoir_help overview | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z]*\) .*/\1/p')
	case $current in
	-*)
		mapfile -t COMPREPLY < <(compgen -W "$(_memoir_help "$command" |
			grep -o -e '--[a-z][a-z-]*' | sort -u)" -- "$current")
		return ;;
	esac
	if [[ $COMP_CWORD -eq 1 || $command == help ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$commands help" -- "$current")
	elif [[ $command == who ]]; then
		compopt -o filenames -o nospace 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -W "pfn: name: object:" -- "$current"; compgen -f -- "$current")
	elif [[ $command == diff ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		compopt -o filenames 2>/dev/null
	elif [[ $command == whatif && $COMP_CWORD -eq 2 ]]; then
		mapfile -t COMPREPLY < <(compgen -W "kill trim" -- "$current")
	elif [[ $command == ps || $command == map || $command == names || $command == capture ||
		$command == sharing || $command == whatif || $command == buffers || $command == idle ||
		$command == refaults || $command == trim || $command == tag ]]; then
		compopt -o nospace 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -W \
			"pid: comm: user: cgroup: name: path: kind: object:" -- "$current")
	fi
}

complete -F _memoir memoir
