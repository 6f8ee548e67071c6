"""What the API's document says beyond the code of its routes: statuses, and examples to paste."""
