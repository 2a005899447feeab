variable "project" {
  type        = string
  description = "Project of the console."
}

variable "project_number" {
  type        = string
  description = "Its number: Identity-Aware Proxy's service agent is named after it."
}

variable "name" {
  type        = string
  description = "Prefix of what Slipway has a name of its own for."
}

variable "location" {
  type        = string
  description = "Region of the function."
}

variable "function" {
  type        = string
  description = "Deployed name of the function that serves the console, once it is deployed."

  validation {
    condition     = var.function == "${var.name}-console"
    error_message = "The console's function must be called NAME-console: the load balancer is made before it, for that name."
  }
}

variable "domain" {
  type        = string
  description = "Domain of the console."
}

variable "dns_zone" {
  type        = string
  description = "Name of the Cloud DNS zone that the domain's record goes into. Null: somebody else makes it."
  default     = null
}

variable "members" {
  type        = set(string)
  description = "Who may open it: user:, group: or domain: members."
}
