"""The device behind the routes: what is loaded, what it does, what it has done."""
