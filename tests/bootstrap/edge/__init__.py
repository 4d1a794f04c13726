"""Google's addresses on one port of loopback: the fake keeps what is wanted, and the local world's parts do what happens."""
