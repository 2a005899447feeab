# In front of the console: Identity-Aware Proxy lets in who is a member, and nobody else reaches the function.

locals {
  # Of the load balancer, and of the function, which is not asked for its name: it has to be told the backend service's id,
  # so the backend service comes first. An endpoint group takes the name of a service that does not exist yet.
  id = "${var.name}-console"
}

resource "google_project_service" "iap" {
  project            = var.project
  service            = "iap.googleapis.com"
  disable_on_destroy = false
}

resource "google_compute_region_network_endpoint_group" "this" {
  project               = var.project
  region                = var.location
  name                  = local.id
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = local.id
  }
}

resource "google_compute_backend_service" "this" {
  project               = var.project
  name                  = local.id
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"

  backend {
    group = google_compute_region_network_endpoint_group.this.id
  }

  iap {
    enabled = true
  }

  log_config {
    enable      = true
    sample_rate = 1
  }

  depends_on = [google_project_service.iap]
}

resource "google_iap_web_backend_service_iam_member" "this" {
  for_each            = var.members
  project             = var.project
  web_backend_service = google_compute_backend_service.this.name
  role                = "roles/iap.httpsResourceAccessor"
  member              = each.key
}

# The proxy calls the function as its own service agent, once both are there.
resource "google_cloud_run_v2_service_iam_member" "iap" {
  project  = var.project
  location = var.location
  name     = var.function
  role     = "roles/run.invoker"
  member   = "serviceAccount:service-${var.project_number}@gcp-sa-iap.iam.gserviceaccount.com"

  depends_on = [google_compute_backend_service.this]
}

resource "google_compute_url_map" "this" {
  project         = var.project
  name            = local.id
  default_service = google_compute_backend_service.this.id
}

resource "google_compute_global_address" "this" {
  project = var.project
  name    = local.id
}

resource "google_compute_managed_ssl_certificate" "this" {
  project = var.project
  name    = "${local.id}-${substr(sha256(var.domain), 0, 8)}"

  managed {
    domains = [var.domain]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_ssl_policy" "this" {
  project         = var.project
  name            = local.id
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
}

resource "google_compute_target_https_proxy" "this" {
  project          = var.project
  name             = local.id
  url_map          = google_compute_url_map.this.id
  ssl_certificates = [google_compute_managed_ssl_certificate.this.id]
  ssl_policy       = google_compute_ssl_policy.this.id
}

resource "google_compute_global_forwarding_rule" "this" {
  project               = var.project
  name                  = local.id
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.this.id
  port_range            = "443"
  target                = google_compute_target_https_proxy.this.id
}

resource "google_dns_record_set" "this" {
  count        = var.dns_zone == null ? 0 : 1
  project      = var.project
  managed_zone = var.dns_zone
  name         = "${var.domain}."
  type         = "A"
  ttl          = 300
  rrdatas      = [google_compute_global_address.this.address]
}
