variable "project" {
  type        = string
  description = "Project that everything is made in."
}

variable "location" {
  type        = string
  description = "Region of the functions, the workflows, the image repository and the cluster."
  default     = "us-central1"
}

variable "name" {
  type        = string
  description = "Prefix of everything that Slipway has a name of its own for; accounts have no more than 30 characters."
  default     = "slipway"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{3,14}$", var.name))
    error_message = "The prefix has 4 to 15 lowercase letters, digits and hyphens, and begins with a letter."
  }
}

variable "policy_file" {
  type        = string
  description = "Path of the policy file, rollouts.yaml."
}

variable "bundle" {
  type        = string
  description = "Folder that `npm run build` has written. Null: dist/functions of this repository."
  default     = null
}

variable "repository" {
  type = object({
    id              = optional(string, "apps")
    create          = optional(bool, true)
    immutable_tags  = optional(bool, true)
    scan            = optional(bool, true)
    keep_recent     = optional(number, 20)
    untagged_expiry = optional(string, "2592000s")
  })
  description = "Docker repository in `location` that images are pushed to."
  default     = {}
}

variable "services" {
  type = map(object({
    regions         = optional(set(string), [])
    public          = optional(bool, true)
    port            = optional(number, 8080)
    health_path     = optional(string, "/health")
    environment     = optional(map(string), {})
    cpu             = optional(string, "1")
    memory          = optional(string, "512Mi")
    min_instances   = optional(number, 1)
    max_instances   = optional(number, 100)
    load_balancer   = optional(bool, true)
    domain          = optional(string)
    dns_zone        = optional(string)
    security_policy = optional(string)
    gateway         = optional(object({ namespace = string, service = optional(string) }))
    slo = optional(object({
      availability   = optional(number, 99)
      latency_ms     = optional(number, 500)
      latency_target = optional(number, 95)
      rolling_days   = optional(number, 1)
      # Of the runbook that alerts point to.
      documentation_url = optional(string)
    }), {})
  }))
  description = <<-EOT
    By the name in the policy file. `regions`: where it runs on Cloud Run, if it does. `gateway`: that it runs on GKE too,
    behind the Gateway of k8s/: `namespace` and name of its Service. `domain`: what the certificate is for; without it the load balancer speaks plain HTTP.
  EOT

  validation {
    condition     = alltrue([for service in values(var.services) : length(service.regions) > 0 || service.gateway != null])
    error_message = "A service runs in Cloud Run regions, behind a GKE Gateway, or both: give it regions or a gateway."
  }
}

variable "cluster" {
  type = object({
    name            = optional(string, "main")
    autopilot       = optional(bool, false)
    release_channel = optional(string, "REGULAR")
    administrators  = optional(list(object({ name = string, cidr = string })), [])
    default_pool = optional(object({
      machine_type = optional(string, "e2-standard-2")
      min_nodes    = optional(number, 1)
      max_nodes    = optional(number, 3)
    }), {})
    arm_pool = optional(object({
      name         = optional(string, "axion-pool")
      machine_type = optional(string, "c4a-standard-2")
      min_nodes    = optional(number, 1)
      max_nodes    = optional(number, 6)
      zones        = optional(list(string))
      spot         = optional(bool, false)
    }), {})
  })
  description = "GKE cluster in `location`. Null: none."
  default     = null
}

variable "may_reach_clusters" {
  type        = bool
  description = "Whether Slipway moves Deployments in clusters of this project. Null: if `cluster` is given; true for one that exists already."
  default     = null
}

variable "database" {
  type = object({
    id                = optional(string, "(default)")
    location          = optional(string)
    create            = optional(bool, true)
    delete_protection = optional(bool, true)
  })
  description = <<-EOT
    Firestore database of the records. `location`: a region, or `nam5` and `eur3`, which outlive one; null: the functions'
    region. It cannot be changed later. `create = false`: it exists already, in native mode.
  EOT
  default     = {}
}

variable "command_topics" {
  type        = set(string)
  description = "Topics, besides rollout-commands, that commands are taken from: `commandsTopic` of services in the policy file."
  default     = []
}

variable "binary_authorization" {
  type        = bool
  description = "Whether the project's Binary Authorization policy decides which images run, on Cloud Run and in the cluster."
  default     = false
}

variable "traces" {
  type        = bool
  description = "Whether every rollout leaves a trace in Cloud Trace."
  default     = false
}

variable "reads_analysis" {
  type        = bool
  description = "Whether the policy file has rules on vulnerabilities, provenance or attestations, which Container Analysis knows."
  default     = false
}

variable "attestors" {
  type        = map(object({ note_project = string, note = string, project = string, attestor = string }))
  description = "Attestors that the policy file's `binaryAuthorization` rules name, with their notes."
  default     = {}
}

variable "alert_email" {
  type        = string
  description = "Who is told, besides Slipway, when an alert opens or closes. Null: nobody."
  default     = null
}

variable "registry_mirrors" {
  type        = string
  description = "HOST=URL pairs, separated by commas, of registries that are reached elsewhere."
  default     = ""
}

variable "console" {
  type = object({
    domain   = string
    dns_zone = optional(string)
    members  = set(string)
  })
  description = "Where the console is, and who may open it and give commands in it: user:, group: or domain: members. Null: no console."
  default     = null
}

variable "notification_secrets" {
  type        = map(string)
  description = "Secrets of Secret Manager in `project`, by the name that the policy file's `notifications` call them: `{ slack = \"slipway-slack\" }`."
  default     = {}
}

variable "deletion_protection" {
  type        = bool
  description = "Whether `terraform destroy` is refused the Cloud Run services and the cluster."
  default     = true
}

variable "image_builds" {
  type = object({
    repository = string
    image      = string
    source     = string
    tag        = optional(string, "^v.*")
    file       = optional(string, "app/pipelines/cloudbuild.yaml")
    context    = optional(string, "app")
  })
  description = <<-EOT
    Cloud Build trigger. `repository`: full name of a repository of a Cloud Build connection. `image`: name of the image in
    `repository` of the registry. `source`: URL of the sources, for the image's labels. Null: images come from elsewhere.
  EOT
  default     = null
}
