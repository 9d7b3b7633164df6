"""Analysis and rendering: what they cost, what they hide, whom they show, how a swap looks."""
