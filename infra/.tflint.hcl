plugin "terraform" {
  enabled = true
  preset  = "all"
}

# Files are split by entity; the examples are one file each.
rule "terraform_standard_module_structure" {
  enabled = false
}
