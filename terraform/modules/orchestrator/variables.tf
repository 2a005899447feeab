variable "project" {
  type        = string
  description = "Project that Slipway and its targets run in."
}

variable "location" {
  type        = string
  description = "Region of the functions and the workflows."
}

variable "name" {
  type        = string
  description = "Prefix of everything Slipway makes."
}

variable "bundle" {
  type        = string
  description = "Folder that `npm run build` has written: dist/functions."
}

variable "policy_file" {
  type        = string
  description = "The policy file, rollouts.yaml."

  validation {
    condition     = length(filebase64(var.policy_file)) <= 65536 / 3 * 4
    error_message = "The policy file is larger than 64 KiB, which is what a secret holds. Give each half of the services a Slipway of its own."
  }
}

variable "registry_mirrors" {
  type        = string
  description = "HOST=URL pairs, separated by commas, of registries that are reached elsewhere."
  default     = ""
}

variable "database" {
  type        = string
  description = "Id of the Firestore database of the records."
}

variable "events_topic" {
  type        = string
  description = "Full name of the topic that every change is published on."
}

variable "command_topics" {
  type        = map(string)
  description = "Full name of each topic, by its name, that commands are taken from: the console publishes there."
  default     = {}
}

variable "console" {
  type        = object({ identity = string, url = string })
  description = <<-EOT
    Null: there is no console. `identity`: whom it believes, `iap:AUDIENCE`. `url`: where people reach it, for links in
    notifications.
  EOT
  default     = null
}

variable "notification_secrets" {
  type        = map(string)
  description = "Secrets of Secret Manager in this project, by the name that the policy file's `notifications` call them."
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.notification_secrets) : can(regex("^[A-Za-z0-9_-]+$", name))])
    error_message = "The name of a secret is also that of its folder: letters, digits, hyphens and underscores."
  }
}

variable "push_service_account" {
  type        = string
  description = "Account that Pub/Sub calls the functions as."
}

variable "repositories" {
  type        = map(object({ location = string, repository = string }))
  description = "Docker repositories whose images roll out: `verify` reads them, and who deploys an image must be able to."
}

variable "cloud_run_services" {
  type        = map(object({ region = string, service = string, service_account = string }))
  description = "Cloud Run services that Slipway moves, and the full name of the account that each runs as."
  default     = {}
}

variable "backend_services" {
  type        = set(string)
  description = "Backend services of load balancers that Slipway may take a region out of."
  default     = []
}

variable "may_reach_clusters" {
  type        = bool
  description = "Whether Slipway moves Deployments in the project's GKE clusters; what it may do there is RBAC, in k8s/."
  default     = false
}

variable "may_create_services" {
  type        = bool
  description = "Whether a first rollout may create Cloud Run services that do not exist; needed by none that Terraform makes."
  default     = false
}

variable "traces" {
  type        = bool
  description = "Whether the functions hand their spans to Cloud Trace."
  default     = false
}

variable "reads_analysis" {
  type        = bool
  description = "Whether the policy has rules on vulnerabilities, provenance or attestations, which Container Analysis knows."
  default     = false
}

variable "attestors" {
  type        = map(object({ note_project = string, note = string, project = string, attestor = string }))
  description = "Attestors that the policy's `binaryAuthorization` rules name, with their notes."
  default     = {}
}
