"""The commands about keys: list them, make and revoke them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from service import console, opening, terminal
from service.errors import Invalid
from service.spending import PeriodName
from service.usecases import manage_keys
from service.usecases.context import LOCAL
from service.usecases.manage_budgets import Limit
from service.usecases.manage_keys import NewKey

app = typer.Typer(invoke_without_command=True)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.callback()
def show(command: typer.Context, *, json: Json = False) -> None:
    """List the keys of the service, make and revoke them.

    Example: unabridged keys add reports-page --limit 20 --period month
    """
    if command.invoked_subcommand is None:
        _list(json=json)


@app.command("list")
def show_all(*, json: Json = False) -> None:
    """List the keys, revoked ones too: the same as `unabridged keys`.

    Example: unabridged keys list --json
    """
    _list(json=json)


def _list(*, json: bool) -> None:
    found = manage_keys.list_keys(opening.context(opening.settings()), None)
    if json:
        console.as_json(found)
    elif not found:
        console.say(
            "There is no key: the service is for one user on this machine. Make one: unabridged keys add NAME"
        )
    else:
        for line in _table(found):
            console.say(line)


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Who uses it.")],
    limit: Annotated[str | None, typer.Option(metavar="USD", help="What may be spent with it.")] = None,
    period: Annotated[
        PeriodName | None, typer.Option(help="How long the limit lasts (UTC); total by default.")
    ] = None,
    expires: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="From this day on (UTC) it does not hold.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Whose documents it is for.")] = LOCAL,
    *,
    json: Json = False,
) -> None:
    """Make a key and print its secret, which is shown this once. From the first key on, every call needs one.

    Example: unabridged keys add reports-page --limit 20 --period month
    """
    if limit is None and period is not None:
        raise Invalid("--period says how long --limit lasts: say --limit USD too.")
    most = None
    if limit is not None:
        most = Limit(terminal.usd(limit, option="--limit"), (period or PeriodName.TOTAL).value)
    ends = expires.replace(tzinfo=UTC) if expires else None
    if ends is not None and ends <= datetime.now(UTC):
        raise Invalid(f"--expires is a day to come, as in {datetime.now(UTC).year + 1}-01-01.")
    ctx = opening.context(opening.settings())
    made = manage_keys.add_key(ctx, NewKey(name, tenant, most, ends))
    if json:
        console.as_json(made)
    else:
        typer.echo(made["secret"])
        console.errors().print(
            f"The secret of {made['id']} is shown this once. Calls send it as Authorization: Bearer.",
            markup=False,
        )


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="`unabridged keys` shows it.")],
    *,
    json: Json = False,
) -> None:
    """Revoke a key for good: it holds no more after two seconds at most, in every process.

    Example: unabridged keys revoke key_019ab3…
    """
    is_left = manage_keys.revoke_key(opening.context(opening.settings()), key_id)
    if json:
        console.as_json({"revoked": key_id, "keys_left": is_left})
        return
    console.say(f"Revoked: {key_id}.")
    if not is_left:
        console.say(
            "No key is left: a service that listens on this machine alone is open to whoever works on it, "
            "and one that listens elsewhere refuses every call."
        )


def _table(found: list[dict[str, Any]]) -> list[str]:
    rows = [("id", "name", "tenant", "secret", "status", "limit", "last used"), *map(_row, found)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _row(key: dict[str, Any]) -> tuple[str, ...]:
    budget = key["budget"]
    limit = f"{console.dollars(budget['limit_usd'])} {budget['period']}" if budget else console.NONE
    used = (key["last_used_at"] or console.NONE)[:16].replace("T", " ")
    return (key["id"], key["name"], key["tenant"], f"{key['prefix']}…", key["status"], limit, used)
