"""What goes to a shopper's new name: the row of a former one, without its login."""

from models.behavior.shopper_row import ShopperRow


def handed_over(row: ShopperRow) -> ShopperRow | None:
    """Return what the row of a former name hands over to the new one; None if there is nothing.

    A login names a user, and the user may have a new name too. So it is left out: the user's next event with
    the guest's id says it again.

    Args:
        row: The row, which is not changed.
    """
    if not row.has_behavior and not row.guests:
        return None
    if row.login is None:
        return row
    changed, state = row.copy_for_update()
    state.login = None
    return changed.encoded()
