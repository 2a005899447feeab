resource "google_service_account" "this" {
  project      = var.project
  account_id   = "run-${substr(var.service, 0, 26)}"
  display_name = "Cloud Run service ${var.service}"
}

resource "google_cloud_run_v2_service" "this" {
  for_each            = var.regions
  project             = var.project
  location            = each.key
  name                = var.service
  ingress             = var.ingress
  deletion_protection = var.deletion_protection

  dynamic "binary_authorization" {
    for_each = var.binary_authorization ? [true] : []
    content {
      use_default = true
    }
  }

  scaling {
    min_instance_count = var.min_instances
  }

  template {
    service_account                  = google_service_account.this.email
    max_instance_request_concurrency = var.concurrency

    scaling {
      max_instance_count = var.max_instances
    }

    containers {
      image = var.placeholder_image

      ports {
        container_port = var.port
      }

      resources {
        limits            = { cpu = var.cpu, memory = var.memory }
        cpu_idle          = true
        startup_cpu_boost = true
      }

      dynamic "env" {
        for_each = merge({ REGION = each.key }, var.environment)
        content {
          name  = env.key
          value = env.value
        }
      }

      startup_probe {
        period_seconds    = 2
        timeout_seconds   = 2
        failure_threshold = 30
        http_get {
          path = var.health_path
        }
      }

      liveness_probe {
        period_seconds    = 10
        timeout_seconds   = 3
        failure_threshold = 3
        http_get {
          path = var.health_path
        }
      }

      readiness_probe {
        period_seconds    = 5
        timeout_seconds   = 3
        failure_threshold = 2
        success_threshold = 2
        http_get {
          path = var.health_path
        }
      }
    }
  }

  lifecycle {
    # These are Slipway's: what runs, what it is called, how much traffic it gets, and its notes on that.
    ignore_changes = [
      annotations,
      client,
      client_version,
      template[0].annotations,
      template[0].containers[0].image,
      template[0].revision,
      traffic,
    ]
  }
}

resource "google_cloud_run_v2_service_iam_member" "public" {
  for_each = var.public ? google_cloud_run_v2_service.this : {}
  project  = var.project
  location = each.value.location
  name     = each.value.name
  role     = "roles/run.invoker"
  member   = "allUsers"
}
