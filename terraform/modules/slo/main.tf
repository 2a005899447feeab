# alerts.tf.json has the alert policies and filters.tf.json what counts as a request, and as a good one. The local cloud
# has the same, and `slipway lint` reckons with them.

locals {
  ways_in = merge([
    for name, service in var.services : merge(
      service.cloud_run == null ? {} : {
        "${name} cloud-run" = { service = name, way = "cloud-run", slo = service, namespace = "", target = service.cloud_run }
      },
      service.gateway == null ? {} : {
        "${name} gateway" = { service = name, way = "gateway", slo = service, namespace = service.gateway.namespace, target = service.gateway.service }
      },
    )
  ]...)
  measured = {
    for key, way in local.ways_in : key => merge(way, {
      for filter, text in local.filters[way.way] :
      filter => replace(replace(text, "NAMESPACE", way.namespace), "SERVICE", way.target)
    })
  }
  slos = merge(
    { for key, slo in google_monitoring_slo.availability : "${key}-availability" => { key = key, name = slo.name } },
    { for key, slo in google_monitoring_slo.latency : "${key}-latency" => { key = key, name = slo.name } },
  )
  alerts = merge([
    for title, slo in local.slos : {
      for policy in local.alert_policies : "${title} ${policy.name}" => merge(policy, {
        slo      = slo.name
        service  = local.measured[slo.key].service
        requests = local.measured[slo.key].requests
        runbook  = local.measured[slo.key].slo.documentation_url
      })
    }
  ]...)
}

resource "google_monitoring_custom_service" "this" {
  for_each     = var.services
  project      = var.project
  service_id   = each.key
  display_name = each.key
}

resource "google_monitoring_slo" "availability" {
  for_each            = local.measured
  project             = var.project
  service             = google_monitoring_custom_service.this[each.value.service].service_id
  slo_id              = "${each.value.way}-availability"
  display_name        = "${each.value.slo.availability} % of ${each.value.way} requests are answered"
  goal                = each.value.slo.availability / 100
  rolling_period_days = each.value.slo.rolling_days

  request_based_sli {
    good_total_ratio {
      good_service_filter  = each.value.good
      total_service_filter = each.value.requests
    }
  }
}

resource "google_monitoring_slo" "latency" {
  for_each            = local.measured
  project             = var.project
  service             = google_monitoring_custom_service.this[each.value.service].service_id
  slo_id              = "${each.value.way}-latency"
  display_name        = "${each.value.slo.latency_target} % of ${each.value.way} requests are answered within ${each.value.slo.latency_ms} ms"
  goal                = each.value.slo.latency_target / 100
  rolling_period_days = each.value.slo.rolling_days

  request_based_sli {
    distribution_cut {
      distribution_filter = each.value.latencies
      range {
        max = each.value.slo.latency_ms
      }
    }
  }
}

resource "google_monitoring_notification_channel" "slipway" {
  project      = var.project
  display_name = "Slipway"
  type         = "pubsub"
  labels       = { topic = var.topic }
}

# Monitoring's service agent comes into being with the first channel that is a topic.
resource "google_pubsub_topic_iam_member" "monitoring" {
  project    = var.project
  topic      = var.topic
  role       = "roles/pubsub.publisher"
  member     = "serviceAccount:service-${var.project_number}@gcp-sa-monitoring-notification.iam.gserviceaccount.com"
  depends_on = [google_monitoring_notification_channel.slipway]
}

resource "google_monitoring_notification_channel" "email" {
  count        = var.email == null ? 0 : 1
  project      = var.project
  display_name = "Slipway: ${var.email}"
  type         = "email"
  labels       = { email_address = var.email }
}

resource "google_monitoring_alert_policy" "this" {
  for_each     = local.alerts
  project      = var.project
  display_name = each.key
  # Of an SLO and of a metric: their resources never match, so AND_WITH_MATCHING_RESOURCE would never fire.
  combiner = "AND"
  severity = "CRITICAL"
  # By this, and by nothing else of the policy, the alert finds the service.
  user_labels           = { (local.service_label) = each.value.service }
  notification_channels = concat([google_monitoring_notification_channel.slipway.name], google_monitoring_notification_channel.email[*].name)

  dynamic "conditions" {
    for_each = each.value.windowsSeconds
    content {
      display_name = "burns ${each.value.burnRate}x over ${conditions.value} s"
      # Of a condition on an SLO, aggregations are not looked at.
      condition_threshold {
        filter          = "select_slo_burn_rate(\"${each.value.slo}\", \"${conditions.value}s\")"
        comparison      = "COMPARISON_GT"
        threshold_value = each.value.burnRate
        duration        = "0s"
      }
    }
  }

  dynamic "conditions" {
    for_each = each.value.minRequests == 0 ? [] : [min(each.value.windowsSeconds...)]
    content {
      display_name = "at least ${each.value.minRequests} requests in ${conditions.value} s"
      condition_threshold {
        filter     = each.value.requests
        comparison = "COMPARISON_GT"
        # A condition can be above and below a number, not at it.
        threshold_value = each.value.minRequests - 1
        duration        = "0s"
        aggregations {
          alignment_period     = "${conditions.value}s"
          per_series_aligner   = "ALIGN_DELTA"
          cross_series_reducer = "REDUCE_SUM"
        }
      }
    }
  }

  alert_strategy {
    auto_close = "1800s"
  }

  dynamic "documentation" {
    for_each = each.value.runbook == null ? [] : [each.value.runbook]
    content {
      mime_type = "text/markdown"
      content   = "Slipway rolls back what it has just rolled out. Runbook: ${documentation.value}"
    }
  }

  depends_on = [google_pubsub_topic_iam_member.monitoring]
}
