"""A Pyomo model's rows and cost terms as arrays: templates at once where they are known.

`members` reads sets, parameters and variables into arrays, `walk` evaluates a constraint's
template for all its rows together, `one_by_one` asks Pyomo for what the walk does not know, and
`rows` puts both in order. `planner.matrix` makes a `Matrix` of it.
"""
