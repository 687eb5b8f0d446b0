"""Work on several machines, by Ray: connect to a cluster, look at its nodes, and run tasks on them."""
