"""``completion``."""

from __future__ import annotations

import click

from multi_x_serverless.cli.completion import SHELLS
from multi_x_serverless.cli.session import PROGRAM
from multi_x_serverless.errors import UnsupportedError


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    """Print a script that lets a shell complete commands, options, regions and workflow ids.

    \b
    bash  eval "$(multi_x_serverless completion bash)"   in ~/.bashrc
    zsh   eval "$(multi_x_serverless completion zsh)"    in ~/.zshrc, after compinit
    fish  multi_x_serverless completion fish | source    in config.fish

    Workflow ids are those of the embedded cloud: nothing is asked over a network. bash has to be 4.4 or newer.
    """  # noqa: D301  # a backspace, which tells click to leave a paragraph as it is
    from click.shell_completion import ShellComplete, get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise UnsupportedError(f"there is no completion for {shell}; there is for {', '.join(SHELLS)}.")
    # The class of bash would look at the bash of this machine first, and the script may be for another one.
    script = ShellComplete.source(found(context.find_root().command, {}, PROGRAM, f"_{PROGRAM}_COMPLETE".upper()))
    click.echo(script.strip())
