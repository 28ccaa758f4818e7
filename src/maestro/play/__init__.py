"""What Ansible runs on the controller: the world that `plan` does not know."""
