# What each module makes of its variables.

mock_provider "google" {
  mock_resource "google_service_account" {
    defaults = {
      id     = "projects/acme-test/serviceAccounts/x@acme-test.iam.gserviceaccount.com"
      name   = "projects/acme-test/serviceAccounts/x@acme-test.iam.gserviceaccount.com"
      email  = "x@acme-test.iam.gserviceaccount.com"
      member = "serviceAccount:x@acme-test.iam.gserviceaccount.com"
    }
  }
}

variables {
  project        = "acme-test"
  project_number = "123456789012"
  name           = "slipway"
  location       = "us-central1"
}

run "messages_are_pushed_signed_and_end_as_dead_letters" {
  command = apply
  module {
    source = "./modules/platform"
  }
  variables {
    repository     = { id = "apps" }
    database       = { location = "us-central1" }
    command_topics = ["team-commands"]
    function_urls = {
      imagePush  = "https://image-push.test"
      command    = "https://command.test"
      sloAlert   = "https://slo-alert.test"
      deadLetter = "https://dead-letter.test"
      notify     = "https://notify.test"
    }
  }

  assert {
    condition     = length(setsubtract(["cloudresourcemanager.googleapis.com", "logging.googleapis.com", "storage.googleapis.com"], keys(google_project_service.this))) == 0
    error_message = "expected the APIs of project grants, log metrics and buckets too: not every organisation enables them"
  }

  assert {
    condition     = toset(keys(google_pubsub_subscription.this)) == toset(["gcr", "rollout-commands", "slo-alerts", "rollout-events", "dead-letters", "team-commands"])
    error_message = "expected a subscription for every topic that a function reads"
  }

  assert {
    condition = alltrue([
      for subscription in google_pubsub_subscription.this :
      subscription.push_config[0].oidc_token[0].audience == var.function_urls[split("-", subscription.name)[length(split("-", subscription.name)) - 1]]
    ])
    error_message = "expected each push to be signed for the function that it goes to"
  }

  assert {
    condition     = length(google_pubsub_subscription.this["gcr"].dead_letter_policy) == 1 && length(google_pubsub_subscription.this["dead-letters"].dead_letter_policy) == 0
    error_message = "expected dead letters of every topic but their own"
  }

  assert {
    condition     = alltrue([for subscription in google_pubsub_subscription.this : subscription.expiration_policy[0].ttl == ""])
    error_message = "expected subscriptions that never expire"
  }
}

run "the_guard_wants_the_burn_and_the_requests" {
  command = apply
  module {
    source = "./modules/slo"
  }
  variables {
    topic = "projects/acme-test/topics/slo-alerts"
    email = "oncall@example.com"
    services = {
      hello = { cloud_run = "hello", gateway = { namespace = "default", service = "hello" } }
    }
  }

  assert {
    condition     = length(google_monitoring_alert_policy.this) == 16
    error_message = "expected four policies on each of four SLOs"
  }

  assert {
    condition = alltrue([
      for title, policy in google_monitoring_alert_policy.this :
      policy.conditions[1].condition_threshold[0].threshold_value == 99 && policy.conditions[0].condition_threshold[0].threshold_value == 10
      if endswith(title, "rollout-guard")
    ])
    error_message = "expected more than 99 requests and a burn above 10"
  }

  assert {
    condition = alltrue(flatten([
      for policy in google_monitoring_alert_policy.this : [
        for condition in policy.conditions : length(condition.condition_threshold[0].aggregations) == 0
        if startswith(condition.condition_threshold[0].filter, "select_slo_burn_rate")
      ]
    ]))
    error_message = "expected no aggregations in conditions on an SLO"
  }

  assert {
    condition     = alltrue([for policy in google_monitoring_alert_policy.this : policy.user_labels["slipway_service"] == "hello" && length(policy.notification_channels) == 2])
    error_message = "expected every policy to name the service, and to tell Slipway and a person"
  }
}

run "names_that_metrics_cut_are_refused" {
  command = plan
  module {
    source = "./modules/slo"
  }
  variables {
    topic = "projects/acme-test/topics/slo-alerts"
    services = {
      hello = { gateway = { namespace = "recommendations", service = "personalised" } }
    }
  }
  expect_failures = [var.services]
}

run "a_domain_brings_a_certificate_and_a_redirect" {
  command = apply
  module {
    source = "./modules/load-balancer"
  }
  variables {
    service  = "hello"
    regions  = ["us-east4", "europe-west1"]
    domain   = "hello.example.com"
    dns_zone = "example"
  }

  assert {
    condition     = length(google_compute_backend_service.this.backend) == 2 && length(google_compute_url_map.redirect) == 1 && length(google_dns_record_set.this) == 1
    error_message = "expected both regions, a redirect and a record"
  }

  assert {
    condition     = google_compute_target_http_proxy.this.url_map == google_compute_url_map.redirect[0].id
    error_message = "expected plain HTTP to be redirected"
  }
}

run "axion_takes_hyperdisk" {
  command = apply
  module {
    source = "./modules/gke"
  }
  variables {
    region       = "us-central1"
    repositories = { apps = { location = "us-central1", repository = "apps" } }
  }

  assert {
    condition     = google_container_node_pool.arm[0].node_config[0].disk_type == "hyperdisk-balanced"
    error_message = "expected the only kind of disk that Axion machines take"
  }

  assert {
    condition     = google_container_cluster.this.private_cluster_config[0].enable_private_nodes && !google_container_cluster.this.control_plane_endpoints_config[0].ip_endpoints_config[0].enabled
    error_message = "expected private nodes, and a control plane that is reached by its name alone"
  }
}

run "autopilot_has_no_pools" {
  command = apply
  module {
    source = "./modules/gke"
  }
  variables {
    region       = "us-central1"
    autopilot    = true
    repositories = {}
  }

  assert {
    condition     = length(google_container_node_pool.arm) == 0 && output.node_pool == null
    error_message = "expected no pools of our own"
  }
}

run "the_console_lets_its_members_in" {
  command = apply
  module {
    source = "./modules/console"
  }
  variables {
    function = "slipway-console"
    domain   = "slipway.example.com"
    members  = ["group:sre@example.com"]
  }

  assert {
    condition     = google_compute_backend_service.this.iap[0].enabled && length(google_iap_web_backend_service_iam_member.this) == 1
    error_message = "expected Identity-Aware Proxy, with its members"
  }
}
