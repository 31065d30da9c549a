"""Tests of the Terraform configuration: what can be known without applying it."""
