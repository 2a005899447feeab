locals {
  is_https = var.domain != null
}

resource "google_compute_region_network_endpoint_group" "this" {
  for_each              = var.regions
  project               = var.project
  region                = each.key
  name                  = "${var.service}-${each.key}"
  network_endpoint_type = "SERVERLESS"

  cloud_run {
    service = var.service
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_backend_service" "this" {
  project               = var.project
  name                  = var.service
  load_balancing_scheme = "EXTERNAL_MANAGED"
  protocol              = "HTTPS"
  security_policy       = var.security_policy

  # The service shows where its callers are.
  custom_request_headers = ["X-Client-Geo-Location: {client_region_subdivision},{client_city}"]

  dynamic "backend" {
    for_each = google_compute_region_network_endpoint_group.this
    content {
      group = backend.value.id
    }
  }

  # A serverless backend has no health checks: this is what keeps requests from a region that answers with errors.
  outlier_detection {
    consecutive_errors                    = 5
    enforcing_consecutive_errors          = 100
    consecutive_gateway_failure           = 3
    enforcing_consecutive_gateway_failure = 100
    max_ejection_percent                  = 50
    interval {
      seconds = 10
    }
    base_ejection_time {
      seconds = 30
    }
  }

  log_config {
    enable      = var.log_sample_rate > 0
    sample_rate = var.log_sample_rate
  }

  lifecycle {
    # Slipway takes a region out that cannot be rolled back. It is to stay out until Slipway, or a person, says otherwise.
    ignore_changes = [backend]
  }
}

resource "google_compute_url_map" "this" {
  project         = var.project
  name            = var.service
  default_service = google_compute_backend_service.this.id
}

resource "google_compute_global_address" "this" {
  project = var.project
  name    = var.service
}

resource "google_compute_managed_ssl_certificate" "this" {
  count   = local.is_https ? 1 : 0
  project = var.project
  # A certificate cannot be changed, and one that is in use cannot be deleted: another domain gets another name.
  name = "${var.service}-${substr(sha256(var.domain), 0, 8)}"

  managed {
    domains = [var.domain]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_ssl_policy" "this" {
  count           = local.is_https ? 1 : 0
  project         = var.project
  name            = var.service
  profile         = "MODERN"
  min_tls_version = "TLS_1_2"
}

resource "google_compute_target_https_proxy" "this" {
  count            = local.is_https ? 1 : 0
  project          = var.project
  name             = var.service
  url_map          = google_compute_url_map.this.id
  ssl_certificates = [google_compute_managed_ssl_certificate.this[0].id]
  ssl_policy       = google_compute_ssl_policy.this[0].id
}

resource "google_compute_global_forwarding_rule" "https" {
  count                 = local.is_https ? 1 : 0
  project               = var.project
  name                  = "${var.service}-https"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.this.id
  port_range            = "443"
  target                = google_compute_target_https_proxy.this[0].id
}

resource "google_compute_url_map" "redirect" {
  count   = local.is_https ? 1 : 0
  project = var.project
  name    = "${var.service}-redirect"

  default_url_redirect {
    https_redirect         = true
    redirect_response_code = "MOVED_PERMANENTLY_DEFAULT"
    strip_query            = false
  }
}

resource "google_compute_target_http_proxy" "this" {
  project = var.project
  name    = var.service
  url_map = local.is_https ? google_compute_url_map.redirect[0].id : google_compute_url_map.this.id
}

resource "google_compute_global_forwarding_rule" "http" {
  project               = var.project
  name                  = "${var.service}-http"
  load_balancing_scheme = "EXTERNAL_MANAGED"
  ip_address            = google_compute_global_address.this.id
  port_range            = "80"
  target                = google_compute_target_http_proxy.this.id
}

resource "google_dns_record_set" "this" {
  count        = local.is_https && var.dns_zone != null ? 1 : 0
  project      = var.project
  managed_zone = var.dns_zone
  name         = "${var.domain}."
  type         = "A"
  ttl          = 300
  rrdatas      = [google_compute_global_address.this.address]
}
