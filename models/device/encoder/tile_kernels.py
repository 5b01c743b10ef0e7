"""Triton kernels for everything but matrix products. Each reads and writes its tokens once.

`PlainKernels` in `models.device.encoder.torch_encoder` computes the same in plain torch, for other devices.
"""

# mypy: disable-error-code="no-untyped-def"
# Triton parses the source of the kernels and accepts no annotations but its own.

from typing import Any

import torch
import triton
import triton.language as tl

from models.device.encoder.packing import TILE


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _attend(
    projected,
    tiles,
    out,
    scale,
    width: tl.constexpr,
    head_width: tl.constexpr,
    size: tl.constexpr,
):
    """One head of one tile. Tokens attend to the tokens of their own text, which are in the same tile."""
    tile, head = tl.program_id(0), tl.program_id(1)
    tokens = tile * size + tl.arange(0, size)
    columns = tl.arange(0, head_width)
    places = tokens[:, None].to(tl.int64) * (3 * width) + head * head_width + columns[None, :]
    query = tl.load(projected + places)
    key = tl.load(projected + places + width)
    value = tl.load(projected + places + 2 * width)
    segments = (tl.load(tiles + tokens) >> 16) & 63
    scores = tl.dot(query, tl.trans(key)) * scale
    scores = tl.where(segments[:, None] == segments[None, :], scores, -float("inf"))
    scores = tl.exp(scores - tl.max(scores, axis=1)[:, None])
    mixed = tl.dot(scores.to(value.dtype), value) / tl.sum(scores, axis=1)[:, None]
    target = tokens[:, None].to(tl.int64) * width + head * head_width + columns[None, :]
    tl.store(out + target, mixed.to(value.dtype))


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _add_norm(
    added,
    states,
    scale,
    shift,
    out,
    epsilon,
    rows,
    width: tl.constexpr,
    block: tl.constexpr,
    step: tl.constexpr,
):
    """The normalized sums of `step` pairs of rows."""
    row = tl.program_id(0) * step + tl.arange(0, step)
    columns = tl.arange(0, block)
    inside = (columns < width)[None, :] & (row < rows)[:, None]
    places = row[:, None].to(tl.int64) * width + columns[None, :]
    total = tl.load(added + places, mask=inside, other=0.0).to(tl.float32)
    total += tl.load(states + places, mask=inside, other=0.0).to(tl.float32)
    _store_norm(total, inside, columns, scale, shift, out, places, epsilon, width)


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _embed(
    tiles,
    words,
    positions,
    scale,
    shift,
    out,
    epsilon,
    rows,
    width: tl.constexpr,
    block: tl.constexpr,
    step: tl.constexpr,
):
    """The normalized sums of `step` token embeddings and position embeddings."""
    row = tl.program_id(0) * step + tl.arange(0, step)
    columns = tl.arange(0, block)
    inside = (columns < width)[None, :] & (row < rows)[:, None]
    token = tl.load(tiles + row, mask=row < rows, other=0)
    word = (token & 65535).to(tl.int64)[:, None] * width + columns[None, :]
    position = ((token >> 22) & 63)[:, None] * width + columns[None, :]
    total = tl.load(words + word, mask=inside, other=0.0).to(tl.float32)
    total += tl.load(positions + position, mask=inside, other=0.0).to(tl.float32)
    places = row[:, None].to(tl.int64) * width + columns[None, :]
    _store_norm(total, inside, columns, scale, shift, out, places, epsilon, width)


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _store_norm(
    total,
    inside,
    columns,
    scale,
    shift,
    out,
    places,
    epsilon,
    width: tl.constexpr,
):
    mean = tl.sum(total, axis=1) / width
    centered = tl.where(inside, total - mean[:, None], 0.0)
    variance = tl.sum(centered * centered, axis=1) / width
    normal = centered * (1.0 / tl.sqrt(variance + epsilon))[:, None]
    factor = tl.load(scale + columns, mask=columns < width, other=0.0).to(tl.float32)
    offset = tl.load(shift + columns, mask=columns < width, other=0.0).to(tl.float32)
    normal = normal * factor[None, :] + offset[None, :]
    tl.store(out + places, normal.to(out.dtype.element_ty), mask=inside)


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _nearest(
    cosines,
    starts,
    out,
    prototypes,
    categories,
    block: tl.constexpr,
):
    """The greatest cosine among each category's adjacent prototypes; -1 if it has none."""
    row = tl.program_id(0)
    category = tl.program_id(1) * block + tl.arange(0, block)
    there = category < categories
    first = tl.load(starts + category, mask=there, other=0)
    end = tl.load(starts + category + 1, mask=there, other=0)
    best = tl.full([block], -1.0, tl.float32)
    most = tl.max(end - first)
    for place in range(most):
        inside = first + place < end
        column = row.to(tl.int64) * prototypes + first + place
        best = tl.maximum(best, tl.load(cosines + column, mask=inside, other=-1.0).to(tl.float32))
    tl.store(out + row.to(tl.int64) * categories + category, best, mask=there)


@triton.jit  # type: ignore[untyped-decorator,unused-ignore]
def _bag(
    rows,
    offsets,
    table,
    out,
    width: tl.constexpr,
    block: tl.constexpr,
    step: tl.constexpr,
):
    """The sum of one title's rows of the table."""
    title = tl.program_id(0)
    first, end = tl.load(offsets + title), tl.load(offsets + title + 1)
    columns = tl.arange(0, block)
    total = tl.zeros([step, block], tl.float32)
    for start in range(first, end, step):
        places = start + tl.arange(0, step)
        row = tl.load(rows + places, mask=places < end, other=0).to(tl.int64)
        inside = (places < end)[:, None] & (columns < width)[None, :]
        total += tl.load(table + row[:, None] * width + columns[None, :], mask=inside, other=0.0)
    tl.store(out + title.to(tl.int64) * width + columns, tl.sum(total, axis=0), mask=columns < width)


def attend(projected: Any, tiles: Any, heads: int) -> Any:
    """Attention within each text.

    Args:
        projected: Query, key and value side by side, shape [tokens, 3 * dimensions].
        tiles: What `write_tiles` wrote, shape [tokens].
        heads: The number of heads.

    Returns:
        Mixed values, shape [tokens, dimensions].
    """
    tokens, width = projected.shape[0], projected.shape[1] // 3
    out = torch.empty((tokens, width), dtype=projected.dtype, device=projected.device)
    scale = (width // heads) ** -0.5
    _attend[(tokens // TILE, heads)](
        projected, tiles, out, scale, width=width, head_width=width // heads, size=TILE, num_warps=4
    )
    return out


def add_norm(added: Any, states: Any, norm: tuple[Any, Any], epsilon: float) -> Any:
    """The normalized sum of two arrays of shape [tokens, dimensions]."""
    rows, width = states.shape
    out = torch.empty_like(states)
    _add_norm[(triton.cdiv(rows, 4),)](
        added,
        states,
        *norm,
        out,
        epsilon,
        rows,
        width=width,
        block=triton.next_power_of_2(width),
        step=4,
        num_warps=4,
    )
    return out


def embed(tiles: Any, words: Any, positions: Any, norm: tuple[Any, Any], epsilon: float) -> Any:
    """The normalized embeddings of tokens, shape [tokens, dimensions]."""
    rows, width = tiles.shape[0], words.shape[1]
    out = torch.empty((rows, width), dtype=words.dtype, device=words.device)
    _embed[(triton.cdiv(rows, 4),)](
        tiles,
        words,
        positions,
        *norm,
        out,
        epsilon,
        rows,
        width=width,
        block=triton.next_power_of_2(width),
        step=4,
        num_warps=4,
    )
    return out


def nearest(cosines: Any, starts: Any) -> Any:
    """The cosine with each category's nearest prototype, shape [texts, categories], float32.

    Args:
        cosines: Contiguous, shape [texts, prototypes].
        starts: The index of each category's first prototype, int32, shape [categories + 1].
    """
    texts, prototypes = cosines.shape
    categories = starts.shape[0] - 1
    out = torch.empty((texts, categories), dtype=torch.float32, device=cosines.device)
    _nearest[(texts, triton.cdiv(categories, 256))](
        cosines, starts, out, prototypes, categories, block=256, num_warps=4
    )
    return out


def bag(rows: Any, offsets: Any, table: Any) -> Any:
    """The sum of the table's rows of each title, shape [titles, dimensions], float32.

    Args:
        rows: Indices into the table; those of a title are adjacent.
        offsets: The place of each title's first index, and the end of the last title's, shape [titles + 1].
        table: Shape [table rows, dimensions], float32.
    """
    titles, width = offsets.shape[0] - 1, table.shape[1]
    out = torch.empty((titles, width), dtype=torch.float32, device=table.device)
    block = triton.next_power_of_2(width)
    _bag[(titles,)](rows, offsets, table, out, width=width, block=block, step=16, num_warps=4)
    return out
