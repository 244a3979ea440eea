"""`nobet doctor`: looks at the machine and at every path of the running stack, and names the cause and the fix of each break."""
