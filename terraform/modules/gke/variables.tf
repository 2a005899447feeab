variable "project" {
  type        = string
  description = "Project of the cluster."
}

variable "region" {
  type        = string
  description = "Region of the cluster."
}

variable "name" {
  type        = string
  description = "Name of the cluster."
  default     = "main"
}

variable "autopilot" {
  type        = bool
  description = "Whether Google runs the nodes; the pools below do not exist then, and targets in the policy file have no nodePool."
  default     = false
}

variable "release_channel" {
  type    = string
  default = "REGULAR"
}

variable "arm_pool" {
  type = object({
    name         = optional(string, "axion-pool")
    machine_type = optional(string, "c4a-standard-2")
    min_nodes    = optional(number, 1)
    max_nodes    = optional(number, 6)
    zones        = optional(list(string))
    spot         = optional(bool, false)
  })
  description = "The pool that Slipway rolls out to. `zones`: where the machine type exists, if that is not every zone of the region."
  default     = {}

  validation {
    condition     = can(regex("^(c4a|n4a|t2a)-", var.arm_pool.machine_type))
    error_message = "The machine type is none of the ARM families c4a, n4a and t2a."
  }
}

variable "default_pool" {
  type = object({
    machine_type = optional(string, "e2-standard-2")
    min_nodes    = optional(number, 1)
    max_nodes    = optional(number, 3)
  })
  description = "The pool of everything that is not for ARM, such as the cluster's own agents."
  default     = {}
}

variable "repositories" {
  type        = map(object({ location = string, repository = string }))
  description = "Docker repositories that the nodes pull from."
}

variable "binary_authorization" {
  type        = bool
  description = "Whether the project's Binary Authorization policy decides which images run."
  default     = false
}

variable "administrators" {
  type        = list(object({ name = string, cidr = string }))
  description = "Networks that reach the control plane by IP address. Empty: it is reached by its DNS name only, where IAM decides."
  default     = []
}

variable "ranges" {
  type = object({
    nodes    = optional(string, "10.0.0.0/20")
    pods     = optional(string, "10.4.0.0/14")
    services = optional(string, "10.8.0.0/20")
  })
  default = {}
}

variable "deletion_protection" {
  type    = bool
  default = true
}
