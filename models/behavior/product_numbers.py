"""Small numbers for product ids, so that what is kept of a product fits into arrays."""

from collections.abc import Iterator


class ProductNumbers:
    """The numbers of products, from 0. The number of a removed product is given to the next new one."""

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._ids: list[str | None] = []
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self._number)

    def __iter__(self) -> Iterator[str]:
        return iter(self._number)

    def find(self, product_id: str) -> int | None:
        """Return a product's number, or None if it is unknown."""
        return self._number.get(product_id)

    def add(self, product_id: str) -> int:
        """Return a product's number, a new one if it is unknown."""
        number = self._number.get(product_id)
        if number is not None:
            return number
        if self._free:
            number = self._free.pop()
            self._ids[number] = product_id
        else:
            number = len(self._ids)
            self._ids.append(product_id)
        self._number[product_id] = number
        return number

    def remove(self, product_id: str) -> None:
        """Free the number of a known product."""
        number = self._number.pop(product_id)
        self._ids[number] = None
        self._free.append(number)

    def id_of(self, number: int) -> str:
        """Return the product that has this number.

        Raises:
            KeyError: No product has it.
        """
        product_id = self._ids[number]
        if product_id is None:
            raise KeyError(number)
        return product_id
