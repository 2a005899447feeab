# firestore.tf.json has the indexes and the TTL fields that functions/store/firestore.ts asks for.

resource "google_firestore_database" "records" {
  count                             = var.database.create ? 1 : 0
  project                           = var.project
  name                              = var.database.id
  location_id                       = var.database.location
  type                              = "FIRESTORE_NATIVE"
  concurrency_mode                  = "OPTIMISTIC"
  point_in_time_recovery_enablement = "POINT_IN_TIME_RECOVERY_ENABLED"
  delete_protection_state           = var.database.delete_protection ? "DELETE_PROTECTION_ENABLED" : "DELETE_PROTECTION_DISABLED"
  # With ABANDON `terraform destroy` would leave it behind, protected or not.
  deletion_policy = "DELETE"
  depends_on      = [google_project_service.this]
}

locals {
  database = var.database.create ? google_firestore_database.records[0].name : var.database.id
  exempt = merge([
    for collection, fields in local.unindexed : {
      for field in fields : "${collection}.${field}" => { collection = collection, field = field }
    }
  ]...)
}

resource "google_firestore_index" "this" {
  for_each   = { for index in local.indexes : "${index.collection}: ${join(", ", index.fields)}" => index }
  project    = var.project
  database   = local.database
  collection = each.value.collection

  dynamic "fields" {
    for_each = each.value.fields
    content {
      field_path = split(" ", fields.value)[0]
      order      = { ASC = "ASCENDING", DESC = "DESCENDING" }[split(" ", fields.value)[1]]
    }
  }
}

resource "google_firestore_field" "ttl" {
  for_each   = toset(local.ttl_collections)
  project    = var.project
  database   = local.database
  collection = each.key
  field      = local.ttl_field
  ttl_config {}
  # No query asks for it, and values that only ever grow make a hot spot of its index.
  index_config {}
}

resource "google_firestore_field" "unindexed" {
  for_each   = local.exempt
  project    = var.project
  database   = local.database
  collection = each.value.collection
  field      = each.value.field
  index_config {}
}
