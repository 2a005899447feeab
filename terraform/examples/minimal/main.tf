# One service in two Cloud Run regions behind one address, without a domain.

variable "project" {
  type        = string
  description = "Project to make everything in."
}

# With an account of yours, not a service account, Google wants to know which project the requests are counted for.
provider "google" {
  project               = var.project
  billing_project       = var.project
  user_project_override = true
}

module "slipway" {
  source      = "../.."
  project     = var.project
  policy_file = "${path.module}/rollouts.yaml"
  services    = { hello = { regions = ["us-east4", "europe-west1"] } }
}

output "next" {
  value = module.slipway.next
}
