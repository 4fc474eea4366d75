"""Redundancy (N-1) by rounds of cuts: who can be served when something is lost, without columns.

The equation family `planner.equations.redundancy` says what a plan must survive, with a flow for
each contingency. On a large case those flows are millions of columns, and few of them matter. A
block, that is one contingency in one period and slice, is a transport problem of its own, given
the chips that are left, so that a block that cannot be met is cut off by its dual prices instead:

    sum_p price[p] * left_chips[k,p,t,s] >= sum_w price[w] * least[k,w,t,s],
    price[p] = max_w failover_rate[w,p,t] * price[w]

which holds for every plan that survives, whatever the prices w >= 0 were.
"""
