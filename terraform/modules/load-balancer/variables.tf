variable "project" {
  type        = string
  description = "Project of the load balancer."
}

variable "service" {
  type        = string
  description = "Name of the Cloud Run service in every region, and of the backend service: `loadBalancer.backendService` in the policy file."
}

variable "regions" {
  type        = set(string)
  description = "Regions that requests are sent to; each gets those that are nearest to it."
}

variable "domain" {
  type        = string
  description = "Domain of the certificate. Null: plain HTTP on the address, for a first try."
  default     = null
}

variable "dns_zone" {
  type        = string
  description = "Name of the Cloud DNS zone that the domain's record goes into. Null: somebody else makes it."
  default     = null
}

variable "security_policy" {
  type        = string
  description = "Full name of a Cloud Armor policy."
  default     = null
}

variable "log_sample_rate" {
  type        = number
  description = "Share of the requests that is logged, from 0 to 1."
  default     = 1
}
