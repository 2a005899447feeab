variable "project" {
  type        = string
  description = "Project of the service."
}

variable "service" {
  type        = string
  description = "Name of the service, the same in every region. Its first revision takes all traffic; from then on Slipway moves it."

  validation {
    condition     = length(var.service) + length("previous") <= 46
    error_message = "Cloud Run takes 46 characters for a tag and the service's name together; Slipway's longest tag is `previous`."
  }
}

variable "regions" {
  type        = set(string)
  description = "Regions to run in: one service each, so that they can be moved one after the other."
}

variable "placeholder_image" {
  type        = string
  description = "What serves until the first rollout."
  default     = "us-docker.pkg.dev/cloudrun/container/hello"
}

variable "port" {
  type        = number
  description = "Port that the container listens on."
  default     = 8080
}

variable "health_path" {
  type        = string
  description = "Path of the probes. Not one that ends in z: from outside Google's front end answers those itself."
  default     = "/health"

  validation {
    condition     = startswith(var.health_path, "/") && !endswith(var.health_path, "z")
    error_message = "The health path begins with / and does not end in z, which Cloud Run's front end keeps for itself."
  }
}

variable "environment" {
  type        = map(string)
  description = "Environment variables of the container. REGION is set to the region."
  default     = {}
}

variable "cpu" {
  type    = string
  default = "1"
}

variable "memory" {
  type    = string
  default = "512Mi"
}

variable "concurrency" {
  type    = number
  default = 80
}

variable "min_instances" {
  type        = number
  description = "Per region. At least 1 where a region's readiness is to take it out of the load balancer."
  default     = 1
}

variable "max_instances" {
  type    = number
  default = 100
}

variable "public" {
  type        = bool
  description = "Whether anybody may call it. Otherwise callers need roles/run.invoker."
  default     = true
}

variable "ingress" {
  type        = string
  description = "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER keeps callers from going around the load balancer, and Slipway from probing the tag's URL: probes are then Skipped."
  default     = "INGRESS_TRAFFIC_ALL"
}

variable "binary_authorization" {
  type        = bool
  description = "Whether the project's Binary Authorization policy decides which images run."
  default     = false
}

variable "deletion_protection" {
  type    = bool
  default = true
}
