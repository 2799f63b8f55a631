"""Which positions of the input each unit sees: exact, in integers, without a framework.

From the least to the whole: `sampling` (the positions that a unit reads along one axis), `views`, `intervals` and
`cases` (what units see along an axis, whether or not its length is known), `axis` and `axis_changes` (an axis of the
input, and how layers change it), `layout`, `line` and `reshapes` (where in a tensor the units are), `parts`,
`composed_field`, `fields` and `meeting` (the receptive field of a tensor).
"""
