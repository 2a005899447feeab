variable "project" {
  type        = string
  description = "Project that everything runs in."
}

variable "project_number" {
  type        = string
  description = "Its number: Google's service agents are named after it."
}

variable "location" {
  type        = string
  description = "Region of the image repository."
}

variable "name" {
  type        = string
  description = "Prefix of what Slipway has a name of its own for."
}

variable "apis" {
  type        = set(string)
  description = "APIs to enable besides those that are always needed."
  default     = []
}

variable "repository" {
  type = object({
    id              = string
    create          = optional(bool, true)
    immutable_tags  = optional(bool, true)
    scan            = optional(bool, true)
    keep_recent     = optional(number, 20)
    untagged_expiry = optional(string, "2592000s")
  })
  description = "Docker repository that rolls out. `create = false`: it exists already, in `location` of the same project."
}

variable "database" {
  type = object({
    id                = optional(string, "(default)")
    location          = string
    create            = optional(bool, true)
    delete_protection = optional(bool, true)
  })
  description = "Firestore database of the records. `create = false`: it exists already, in native mode."
}

variable "command_topics" {
  type        = set(string)
  description = "Topics, besides rollout-commands, that commands are taken from: `commandsTopic` of services in the policy file."
  default     = []
}

variable "function_urls" {
  type        = map(string)
  description = "URL of each function, by the name that the code gives it."
}
