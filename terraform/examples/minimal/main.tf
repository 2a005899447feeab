# One service in two Cloud Run regions behind one address, without a domain.

variable "project" {
  type        = string
  description = "Project to make everything in."
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
