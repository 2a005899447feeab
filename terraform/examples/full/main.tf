# Three Cloud Run regions behind a domain, and an ARM pool on GKE, with every guard on.

variable "project" {
  type        = string
  description = "Project to make everything in."
}

variable "domain" {
  type        = string
  description = "Domain that the service answers at."
}

variable "dns_zone" {
  type        = string
  description = "Name of the Cloud DNS zone of the domain."
}

variable "alert_email" {
  type        = string
  description = "Who is told when an alert opens or closes."
}

variable "console" {
  type        = object({ domain = string, dns_zone = optional(string), members = set(string) })
  description = "Where the console is, and who may open it. Null: no console."
  default     = null
}

# With an account of yours, not a service account, Google wants to know which project the requests are counted for.
provider "google" {
  project               = var.project
  billing_project       = var.project
  user_project_override = true
}

module "slipway" {
  source               = "../.."
  project              = var.project
  policy_file          = "${path.module}/rollouts.yaml"
  alert_email          = var.alert_email
  binary_authorization = true
  reads_analysis       = true
  console              = var.console

  services = {
    hello = {
      regions         = ["us-east4", "europe-west1", "asia-northeast1"]
      domain          = var.domain
      dns_zone        = var.dns_zone
      security_policy = google_compute_security_policy.hello.id
      gateway         = { namespace = "hello" }
      slo             = { availability = 99.5, latency_ms = 500, latency_target = 95, rolling_days = 30 }
    }
  }

  cluster = {
    name     = "main"
    arm_pool = { name = "axion-pool", machine_type = "c4a-standard-2" }
  }
}

# Cloud Armor, for who asks too often.
resource "google_compute_security_policy" "hello" {
  project = var.project
  name    = "hello"

  rule {
    priority    = 900
    action      = "deny(403)"
    description = "Log4j lookups"
    match {
      expr {
        expression = "evaluatePreconfiguredExpr('cve-canary')"
      }
    }
  }

  rule {
    priority    = 1000
    action      = "throttle"
    description = "600 requests a minute from one address"
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
    rate_limit_options {
      conform_action = "allow"
      exceed_action  = "deny(429)"
      enforce_on_key = "IP"
      rate_limit_threshold {
        count        = 600
        interval_sec = 60
      }
    }
  }

  rule {
    priority    = 2147483647
    action      = "allow"
    description = "the rest"
    match {
      versioned_expr = "SRC_IPS_V1"
      config {
        src_ip_ranges = ["*"]
      }
    }
  }
}

output "next" {
  value = module.slipway.next
}
