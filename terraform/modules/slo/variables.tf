variable "project" {
  type        = string
  description = "Project that the metrics of the services are in."
}

variable "project_number" {
  type        = string
  description = "Its number: Monitoring's service agent is named after it."
}

variable "topic" {
  type        = string
  description = "Full name of the topic slo-alerts."
}

variable "email" {
  type        = string
  description = "Who else is told when an alert opens or closes. Null: nobody."
  default     = null
}

variable "services" {
  type = map(object({
    cloud_run         = optional(string)
    gateway           = optional(object({ namespace = string, service = string }))
    availability      = optional(number, 99)
    latency_ms        = optional(number, 500)
    latency_target    = optional(number, 95)
    rolling_days      = optional(number, 1)
    documentation_url = optional(string)
  }))
  description = <<-EOT
    By the name in the policy file. `cloud_run`: name of its Cloud Run services. `gateway`: namespace and Service of its
    GKE Gateway. Each way in that is given has SLOs of its own, because it is measured by a metric of its own.
    `availability` and `latency_target` in percent.
  EOT

  validation {
    condition     = alltrue([for service in values(var.services) : service.availability > 0 && service.availability <= 99.9 && service.latency_target > 0 && service.latency_target <= 99.9])
    error_message = "Availability and latency_target are percentages above 0, and 99.9 at most: so says Cloud Monitoring."
  }

  validation {
    condition = alltrue([
      for service in values(var.services) :
      service.gateway == null ? true : length(service.gateway.namespace) + length("${service.gateway.service}-canary") <= 31
    ])
    error_message = "A Gateway's namespace and the name of its canary Service have 31 characters together at most: longer ones GKE cuts in the load balancer's metrics, and the SLO would count nothing."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.rolling_days >= 1 && service.rolling_days <= 30])
    error_message = "rolling_days is 1 to 30."
  }
}
