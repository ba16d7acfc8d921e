"""What must hold of every resource, whoever wrote the program: the rules, and the policy pack made of them."""
